// Package proxytest owns how tests start the proxies that ask the gateway: Debian's
// nginx, Caddy and HAProxy, and the newest of these, Traefik and Envoy from the Python
// package index, each with its files in examples/gateway, on addresses of the test's
// own, over http or https. It refuses to know what they are to do: a test brings the
// gateway, the application and the requests.
package proxytest
