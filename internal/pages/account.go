package pages

// Account is a page on which people see and change what is theirs.
type Account struct {
	Title      string
	Message    string
	SignedInAs string
	Done       string // what was just done
	Sections   []Section
	Links      []Link
	Secret     bool // the page's URL has a secret, which no Referer may have
	Refers     bool // a link of the page tells this origin where it comes from, as forms do
}

func (v Account) layout(tongue) layout {
	out := layout{
		Title: v.Title, Message: v.Message, SignedInAs: v.SignedInAs, Notice: v.Done, Sections: v.Sections, secret: v.Secret, refers: v.Refers,
	}
	for _, l := range v.Links {
		out.Links = append(out.Links, action{URL: l.URL, Text: l.Text})
	}
	return out
}
