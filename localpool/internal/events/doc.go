// Package events tells others that something about a user or a group has changed,
// in the shape in which EventBridge delivers CloudTrail's records of Cognito.
//
// It owns that shape, which hides what CloudTrail hides, and the delivery, which
// happens beside the requests: never in their way, repeated for a while, and given up
// with a line in the log. It refuses to know what changed: an event is a reason to
// look again.
package events
