package model

// otherwise has patterns of the model that are not in the syntax of package regexp, as
// they read there.
var otherwise = map[string]string{
	// A prefix, and a domain of one's own: the documentation's examples have dots.
	`^[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?$`: `[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?)*`,
	// No dot at the end.
	`^[0-9A-Za-z\.\-_]*(?<!\.)$`: `(?:[0-9A-Za-z.\-_]*[0-9A-Za-z\-_])?`,
}

// correct puts into the table what the live service is seen to do and its model does not
// say.
func (t table) correct() {
	// A password neither begins nor ends with white space, and has two characters at
	// least. (Reports of live pools, 2020 to 2025.)
	if s := t.Shapes["PasswordType"]; s != nil {
		s.Pattern = `^[\S]+.*[\S]+$`
	}
	// The documentation of GetClientToken names a flow that no model has.
	if s := t.Shapes["ExplicitAuthFlowsType"]; s != nil {
		s.Enum = append(s.Enum, "ALLOW_CLIENT_TOKEN_AUTH")
	}
}
