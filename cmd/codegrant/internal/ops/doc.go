// Package ops is what the commands that go on running show to operators in the same
// way: /healthz, /readyz, /metrics and profiles, and which program it is.
//
// It refuses to know what is asked, and by whom: each command says when it is ready, and
// has metrics of its own.
package ops
