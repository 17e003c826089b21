// Package broker is an authorization server (OAuth 2.1) in front of any user pool. It serves
// clients that a pool cannot take, such as agents that look for tools (Model Context
// Protocol), and clients that nobody wants to create an app client for.
//
// It owns the clients, the consents of people, the codes and the tokens. A client is
// configured, registers itself (RFC 7591), or is described by a document whose URL is its id.
// Tokens are JWTs (RFC 9068) for one resource (RFC 8707). A refresh token works once. People
// sign in at the pool, by [codegrant.Auth], as in any application. The broker asks them each
// time whether the client may act for them.
//
// It refuses clients with secrets, clients without PKCE (S256), and redirect URIs at hosts that
// nobody has allowed. It sends a browser only to a URI that the client has registered. It
// never hands out a token of the pool. A grant ends with the session in which the person
// agreed, and with the account of the person.
//
// It uses package codegrant as an application does. Its state is on shelves of a
// [cupboard.Store], so any number of processes are one server. Strangers cannot fill the
// store: the registration of a client is sealed into its id.
//
// [New] checks the configuration, makes no network call, and returns every mistake at once.
// A field without a value has the default that its comment names: tokens live 10 minutes,
// and a client may refresh for 24 hours. [Broker.Issued] returns [codegrant.ErrInvalid] for a
// token that ended, [codegrant.ErrUnavailable] if a store does not answer, and no identity and
// no error for a token of somebody else. Endpoints answer with the errors of OAuth. docs/http.md
// lists them. The example shows a whole server.
package broker
