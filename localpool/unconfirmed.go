package localpool

// unconfirmed lists what the local pool does where nobody has read or seen what Amazon does.
// It accepts as much as it can. docs/local-pool.md has the same rows; comments at the places
// name them.
var unconfirmed = []struct{ where, here string }{
	{"acr_values that nobody can reach", "the sign-in continues at the level that the person reached; check `acr`"},
	{"refusals of `TARGET_ACR_VALUES`, `MAX_AGE` and `ACCESS_TOKEN`", "`InvalidParameterException` for a wrong value, `NotAuthorizedException` if the person cannot do it"},
	{"`acr` and `amr` of a custom challenge", "the lowest level, and no method, or only the password if the person used it"},
	{"`ConfirmSignUp` without `Session`, of a client that allows `USER_AUTH`", "answers a `Session` too, because Amplify sends none and expects one (`autoSignIn`)"},
	{"`acr` and `amr` of the sign-in that follows a confirmation", "the same as for a code by e-mail"},
	{"`amr` of a passkey that counts as both factors", "only `swk` or `hwk`"},
	{"a passkey that counts as both factors, without user verification", "refused: with `MULTI_FACTOR_WITH_USER_VERIFICATION`, the pool asks for verification as with `required`, whatever `UserVerification` says"},
	{"the exception of a write during a recovery", "`OperationNotEnabledException`"},
	{"the form of PBKDF2 hashes in an import", "`iterations$salt$hash`, also behind `$pbkdf2-sha256$`, in base64 or hexadecimal digits"},
	{"words of `CustomMessage` without the code", "ignored: the pool sends the text of the template"},
	{"the welcome to a user whom `UserMigration` brings", "the template of invitations with `********` in the place of the password; nothing is sent if the user has no address for the medium"},
	{"an invitation by SMS to a user without a phone number", "`InvalidParameterException` in the words that are known for e-mail; without `DesiredDeliveryMediums` it goes by e-mail"},
	{"the words of an invitation without a temporary password", "`Your username is {username}`, with the subject `Your account`; a template without `{####}` is used as it is"},
	{"the form fields of token exchange at `/oauth2/token`", "those of RFC 8693; errors are those of RFC 6749"},
	{"`act`, `sub`, lifetime and `aud` of derived tokens", "`act` has `sub` and `client_id`; the person's `sub`, the client's lifetime, the audience or resource"},
	{"requests and answers of `/oauth2/register`", "as in RFC 7591; no RFC 7592"},
	{"settings of a client with a metadata document", "the document decides on redirect URIs (on this machine with any port); both the document and the app client on grants and scopes; the app client on lifetimes and sign-out URLs; tokens have the app client's id"},
	{"a metadata document that cannot be fetched", "the error page says why; `REFRESH` answers `InvalidParameterException`, the token endpoint `invalid_client`"},
	{"metadata documents in discovery", "`client_id_metadata_document_supported`, if a policy has an app client"},
	{"the text of `FeatureUnavailableInTierException` for what is turned on in a Lite pool", "`… is not available in the LITE pricing tier configured.`, for managed login, MFA by e-mail and passkeys, too"},
	{"the names of features in the refusal of a change to Lite", "Amazon's text, and names after those of its documentation, such as `Managed Login`, `Email MFA`, `Passkeys` and `Password History`"},
	{"the name of a passkey in `UserMFASettingList`", "`WEB_AUTHN`; nothing else depends on `WebAuthnMfaSettings`"},
	{"errors of passkeys at a sign-in", "`NotAuthorizedException`, as for a wrong password"},
	{"the key of a device that is forgotten, at a sign-in", "`ResourceNotFoundException`, after a correct password; with SRP the client may send the proof again without the key"},
	{"`DEVICE_SRP_AUTH` without `Session`", "accepted: it answers the latest challenge of this kind that the client has open for the user"},
	{"`SLORedirectBindingURI` of SAML providers", "the address of the redirect binding in `MetadataFile`; it is absent if the file has none"},
	{"texts about the details of OIDC and Apple", "the words that are known for Google: all required details in one list; `client_secret` is optional for OIDC"},
	{"an identity that was linked by another attribute than the subject", "found by the mapped attribute or by the claim of that name; from the first sign-in on, known by its subject alone"},
	{"a user of the pool after `AdminDisableProviderForUser`", "has no password and no tokens; an administrator or a reset sets a new one"},
	{"`AdminGetDevice` and `AdminListDevices` of an unknown user", "`ResourceNotFoundException`: the model has no `UserNotFoundException` for them"},
	{"a change by hand of secrets in Secrets Manager", "`AddUserPoolClientSecret` and `DeleteUserPoolClientSecret` answer `InvalidParameterException`; `ListUserPoolClientSecrets` has both secrets"},
	{"where the file of an import job is put", "at `PreSignedUrl`, which is in the local pool and not in an S3 bucket, with PUT; the pool checks no header"},
}
