// Package webhook posts changes of people and organizations, and what happens to sessions,
// to URLs. It takes changes of people out of the replica's outbox, gets the others
// by [Queue.Tell], and signs them as Standard Webhooks defines
// (https://www.standardwebhooks.com).
//
// It owns the messages and their signatures ([Secret]), the receivers ([Endpoint]), the
// table of messages that wait or were given up ([Queue]), and the process that sends them
// ([Sender]).
//
//   - One transaction removes a change from the outbox and adds its messages to the table.
//     So nothing is lost if the process is killed. A message leaves the table when its
//     receiver has answered 2xx: it is sent once or more, under one id.
//   - A change that somebody else's transaction makes becomes messages in that transaction.
//   - Each receiver gets the messages about one person in order. The next is sent when the
//     one before was accepted or given up.
//   - Refusals have no order and little room, because strangers can cause any number of
//     them. Each receiver gets one at a time, beside the others: see [MaxRefusals].
//   - If a message is not accepted, it is sent again for two days, with growing pauses.
//     Then it is kept for an operator: see [Queue.Dead] and [Queue.Resend].
//
// It does not follow redirects and does not send to another machine without TLS. It
// connects to private networks only if the endpoint allows it. It uses the replica's outbox
// and its database, and does not know sessions.
//
// The constructors make no network call, and return every mistake of the configuration at once.
// [Sender.Run] returns when its context ends, and finishes what it has begun for ten seconds at
// most. The zero value of a [Dialect] is not an engine: set one. The example sends a message.
package webhook
