// Package broker is an authorization server (OAuth 2.1) in front of any user pool: for
// clients that a pool cannot take, or that nobody wants to make an app client for, such as
// agents that look for tools (Model Context Protocol).
//
// It owns the clients (configured, registered by themselves (RFC 7591), or described by a
// document of their own whose URL is their id), what people have let each of them do, the
// codes, and the tokens that follow: JWTs by RFC 9068 for one resource (RFC 8707), with
// refresh tokens that are of use once. People sign in at the pool, by [codegrant.Auth], as
// in any application, and are asked each time whether the client may act for them.
//
// It refuses clients with secrets, clients without PKCE (S256), redirect URIs at hosts that
// nobody has allowed, and to send anybody to a URI that the client has not registered. It
// never hands out a token of the pool's. Nothing that it gave outlives the session in which
// the person agreed, or the person's account.
//
// It stands on package codegrant as an application would, keeps its state on shelves of a
// [cupboard.Store], so that any number of processes are one server, and holds nothing for
// strangers: what a client registers is sealed into its id.
//
// [New] checks the configuration, makes no network call, and returns every mistake at once.
// A field without a value has the default that its comment names: tokens live 10 minutes,
// and a client may refresh for 24 hours. [Broker.Issued] returns [codegrant.ErrInvalid] for a
// token that ended, [codegrant.ErrUnavailable] if a store does not answer, and no identity and
// no error for a token of somebody else. Endpoints answer with the errors of OAuth. docs/http.md
// lists them. The example shows a whole server.
package broker
