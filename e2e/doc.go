// Package e2e holds the tests that need a world around the product: a browser,
// proxies, other people's SDKs. It is a module of its own, so that no user of the
// library meets what these tests need, and has no code but tests and their tools.
package e2e
