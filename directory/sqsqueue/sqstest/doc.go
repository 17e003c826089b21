// Package sqstest owns a small Amazon SQS for tests: queues in memory behind the
// JSON protocol that AWS's SDKs speak, which repeat, reorder, lose, delay and refuse
// as the real one does, and more often. It refuses to be anything else than a stand-in:
// it knows the operations that sqsqueue calls, and SendMessage.
package sqstest
