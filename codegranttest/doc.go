// Package codegranttest helps to test an application that signs people in with
// Codegrant: a user pool in the test process, and a browser that signs in
// through its real pages.
//
// It owns what is the same in every such test. It refuses to replace the flow:
// the application under test runs as it does in production, against the pool's
// real endpoints and over real HTTP.
package codegranttest
