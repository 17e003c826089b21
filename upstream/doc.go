// Package upstream is an OAuth client at authorization servers of others, such as that of
// GitHub, for services behind that need a person's token there.
//
// It sends people to the consent page of the other server: a redirect with PKCE, and a state
// that is bound to the person's session. It stores the tokens encrypted, on a shelf of the
// cupboard. It refreshes each token once, however many requests and processes ask. When the
// session in which the person agreed ends, it revokes the tokens, if the other server can do that.
//
// It refuses to hand a token to anybody but the route that it was configured for, to send
// anybody elsewhere than to the server that is configured and back to a path of this site,
// and to take an answer that another session, or another server, began.
//
// It stands on package codegrant as an application would. [Upstream] is what a route of
// package gateway takes.
//
// [New] makes no network call, and returns every mistake of the configuration at once.
// [Upstream.Token] returns a *[ConsentError] if the person has not agreed yet: it is also the
// answer to their request. It returns [codegrant.ErrForbidden] if there is no person, and
// [codegrant.ErrUnavailable] if the other server or a store does not answer. A token is
// renewed 30 seconds before it expires. The example mounts the endpoints and asks for a token.
package upstream
