// Package webhook tells programs at URLs of what happened to people: it takes changes
// out of the replica's outbox, and posts them, signed as Standard Webhooks has it
// (https://www.standardwebhooks.com).
//
// It owns the messages and their signatures ([Secret]), who is told of what ([Endpoint]),
// the table of what is still to be sent and of what could not be ([Queue]), and the
// process that sends it ([Sender]).
//
//   - A change leaves the outbox and its messages come into the table in one transaction,
//     so that nothing is lost whenever the process is killed. A message is gone from
//     there when its receiver has answered 2xx: it is sent once or more, under one id.
//   - Messages about one person come in order at each receiver: the next is sent when the
//     one before has been taken, or has been given up.
//   - One that is not taken is sent again, later and later, for two days, and then kept
//     apart for an operator: see [Queue.Dead] and [Queue.Resend].
//
// It refuses to follow redirects, to send without TLS to another machine, and to connect
// to addresses of private networks unless an endpoint is said to be there. It leans on the
// replica's outbox and the database that this is in, and knows nothing of sessions.
package webhook
