// Package machine owns tokens of services: it fetches those of an app client's own, by the
// grant client_credentials or GetClientToken, and sends them with calls. It refuses to
// speak for people, which package exchange does: no token of it is anybody's, and none goes
// to a host that is not named.
package machine
