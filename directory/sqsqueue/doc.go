// Package sqsqueue takes change events from a queue of Amazon SQS, for a
// directory.Worker: it owns the calls to SQS and what their errors mean. It refuses
// to make queues, to send to them, and to look into messages.
package sqsqueue
