// Package clients runs other people's clients, pinned, as npm, the Python package index,
// Debian and the Go proxy bring them, against the local pool: what they do with it,
// applications can. A story goes from discovery to sign-out, with what the client makes of
// a refusal; all stories share one process of codegrant pool, in which each has an app
// client and a person of its own. CODEGRANT_TEST_CLIENTS=all tells those too that take long
// to install.
package clients
