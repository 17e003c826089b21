package localpool

// unconfirmed is what the local pool does of its own choice, as nobody has read or seen what
// Amazon does. Where a choice can be liberal in what it takes, it is. docs/local-pool.md has
// the same rows; comments at the places name them.
var unconfirmed = []struct{ where, here string }{
	{"acr_values that nobody can reach", "the sign-in goes on at the level that is reached; look at `acr`"},
	{"refusals of `TARGET_ACR_VALUES`, `MAX_AGE` and `ACCESS_TOKEN`", "`InvalidParameterException` for what is asked wrongly, `NotAuthorizedException` for who cannot"},
	{"`acr` and `amr` of a custom challenge", "the lowest level, and no method but the password, if that was shown"},
	{"`acr` and `amr` of the sign-in that follows a confirmation", "as by a code by e-mail"},
	{"`amr` of a passkey that counts as both factors", "`swk` or `hwk` alone"},
	{"the exception of a write during a recovery", "`OperationNotEnabledException`"},
	{"the form of PBKDF2 hashes in an import", "`iterations$salt$hash`, also behind `$pbkdf2-sha256$`, in base64 or hexadecimal digits"},
	{"words of `CustomMessage` without the code", "not taken: the template's are sent"},
	{"the form fields of token exchange at `/oauth2/token`", "those of RFC 8693; errors as RFC 6749 has them"},
	{"`act`, `sub`, lifetime and `aud` of derived tokens", "`act` has `sub` and `client_id`; the person's `sub`, the client's lifetime, the audience or resource"},
	{"what `/oauth2/register` takes and answers", "as in RFC 7591; no RFC 7592"},
	{"what decides for a client with a metadata document", "the document on redirect URIs (of this machine on any port); it and the app client both on grants and scopes; the app client on lifetimes and sign-out URLs; tokens have the app client's id"},
	{"a metadata document that cannot be fetched", "the error page says why; `REFRESH` is `InvalidParameterException`, the token endpoint `invalid_client`"},
	{"what discovery says of metadata documents", "`client_id_metadata_document_supported`, where a policy has an app client"},
	{"errors of passkeys at a sign-in", "`NotAuthorizedException`, as of a wrong password"},
	{"the key of a device that is forgotten, at a sign-in", "`ResourceNotFoundException`, after the password was right; by SRP the proof may be sent again without it"},
	{"`SSORedirectBindingURI` and `SLORedirectBindingURI` of SAML providers", "the addresses of the redirect binding in `MetadataFile`; without one they are absent, and the provider is taken"},
	{"where the file of an import job is put", "at `PreSignedUrl`, which is here and not in an S3 bucket, by PUT; no header is looked at"},
}
