// Package recovery asks a user pool of Amazon Cognito for its point-in-time recoveries: to
// begin, start, cancel and describe one. It owns these calls, which the SDK of AWS does not
// have yet, and what their errors mean. It refuses to decide anything: who calls Initiate
// stops all changes of users in the pool until the recovery ends, and who calls Start deletes
// users. It leans on the SDK for credentials, endpoints and signatures, and on package
// directory for what a recovery is.
package recovery
