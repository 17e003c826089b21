// Package proxies holds tests of what the files in examples/gateway let through, and
// what they let an application see: each proxy, with the same scenarios, over each
// version of HTTP that it speaks. It owns the table in docs/gateway.md, and refuses to
// know a proxy's own words: those are in package proxytest.
package proxies
