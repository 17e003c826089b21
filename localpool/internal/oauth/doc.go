// Package oauth is the local pool as an OAuth client meets it: authorize, token,
// userInfo, revoke and logout on the domain, discovery and keys on the issuer.
//
// It owns Cognito's status codes, error bodies, redirects and claims, to the name
// and type. It refuses to show pages: a browser that has to be asked something is
// sent to /login with the query it came with, and the pages come back to
// [Endpoints.Complete].
package oauth
