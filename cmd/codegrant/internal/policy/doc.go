// Package policy is codegrant policy: whether Cedar policies decide what they are meant to.
//
// It refuses to ask anybody: the cases say who asks, and the configuration names the
// policies.
package policy
