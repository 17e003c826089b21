package localpool

// different is what differs from Cognito and stays so, as docs/local-pool.md has it: a list
// that fits one screen. What nobody knows of Cognito is in [unconfirmed].
var different = []string{
	"The issuer is `http://127.0.0.1:9229/<pool id>`: configure it, or give the JWKS URL, as for pools of the newer issuer type.",
	"The JSON API (`POST /` with `X-Amz-Target`) has all 153 operations of the service. Some have nothing behind them: threat protection sees nothing, replicas and logs are documents. A point-in-time recovery knows what users and groups were since the pool started.",
	"Custom challenges and migration are in the JSON API alone, as at Cognito. Custom senders are given codes sealed by a key of the seed's, not by KMS.",
	"Passkeys need `localhost`: browsers are led there from `127.0.0.1`. The relying party of a pool that says nothing is `localhost`.",
	"A style of managed login shows its colours, corners and logo; one of the classic pages is kept and not shown.",
	"Identity providers elsewhere are never called: a page in their place takes the claims that they would state.",
	"Threat protection is accepted, and does nothing. With `lang` the pages are in the twelve languages of managed login; refusals stay English.",
	"Text messages are shown, not sent; so is e-mail without `--smtp`. Quotas are enforced where the seed has them, or with `--quotas`.",
	"The pages look like a managed login, and are not Amazon's.",
}
