package localpool

// different lists what differs from Cognito on purpose, with the words of docs/local-pool.md.
// It fits one screen. What nobody knows of Cognito is in [unconfirmed].
var different = []string{
	"The issuer is `http://127.0.0.1:9229/<pool id>`. Configure it, or give the JWKS URL, as for pools of the newer issuer type.",
	"The JSON API (`POST /` with `X-Amz-Target`) has all 153 operations of the service. Some have no effect: threat protection sees nothing, and replicas and logs are only documents. A point-in-time recovery knows users and groups since the start of the pool.",
	"Custom challenges work only in the JSON API, as at Cognito. Custom senders get codes that are sealed with a key of the seed, not with KMS.",
	"Passkeys need `localhost`. The pool redirects browsers there from `127.0.0.1`. The relying party is `localhost` by default.",
	"A style of managed login shows its colors, corners and logo. A style of the classic pages is kept, but not shown.",
	"The pool never calls identity providers elsewhere. A page in their place takes the claims that they would send.",
	"Threat protection is accepted, and does nothing. With `lang` the pages are in the twelve languages of managed login. Errors stay English.",
	"Text messages are shown, not sent. The same holds for e-mail without `--smtp`. Quotas apply if the seed has them, or with `--quotas`.",
	"Secrets in Secrets Manager rotate on their schedule by the clock of the pool, at once and not within a minute. The pool refuses schedules with `cron()`. The limits on the number of recoveries are not kept.",
	"The token exchange refuses tokens of other issuers, and SAML assertions.",
	"A client without a style shows the login pages too. At Cognito, a client that the API made shows no managed login without a style.",
	"`Session` strings have 132 characters. At Cognito they can have 4,096, so nobody finds here that a column is too short for them.",
	"If usernames are not addresses, the sign-up page makes the username from the address: from the part before the `@`.",
	"The pages look like a managed login, but they are not Amazon's.",
}
