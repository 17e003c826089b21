// Package codegranttest helps to test an application that signs people in with
// Codegrant: a user pool in the test process, a browser that signs in through its real
// pages, and identities for unit tests of handlers.
//
// It owns what is the same in every such test. It refuses to replace the flow: with a
// pool, the application under test runs as it does in production, against the pool's
// real endpoints and over real HTTP. [WithIdentity] is for tests of one handler.
package codegranttest
