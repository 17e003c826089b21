// Package webhooks is codegrant webhooks: programs that are told of changes, and what
// could not be sent to them.
//
// It refuses to send anything by itself: package webhook does.
package webhooks
