// Package gateway signs people in for services that are not written in Go: as a
// reverse proxy in front of them, or as the answer to another proxy's question
// whether a request may pass (forward-auth). It refuses to decide who is asking:
// package codegrant does, and the gateway speaks for it.
//
// # What a request goes through
//
// Its target is brought into one form or refused; identity headers that it carries
// are removed; a route is found, or it is 404; the route's permission is asked;
// and what the upstream sees is what was decided on, byte for byte.
//
// # What an upstream sees
//
// Headers (X-Auth-Subject and its siblings, see [Headers]) that only the gateway
// can have set, and if asked for a signed [Assertions] token, which is proof
// wherever the network is not. Cookies of the gateway's never get there.
//
// # What a proxy asks
//
// [Gateway.Check] answers for nginx, Caddy, Traefik, HAProxy and Envoy: 200 with the
// headers, 401, 403, 503, or the redirect to a sign-in. [Gateway.CheckOriginal] is for
// protocols other than HTTP, such as those of packages extauthz and spoe.
package gateway
