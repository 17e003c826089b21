// Package gatewaytest owns what tests of proxies that ask the gateway have in common: a
// pool, the gateway with its usual routes, an application behind the proxy that tells
// what it saw, and requests to it. It refuses to be a proxy: each test brings its own.
package gatewaytest
