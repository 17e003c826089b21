// Package secret reads the client secrets of an app client from where they change
// while the process runs: a file that something else replaces. Package
// secret/awssecret reads them from AWS Secrets Manager.
//
// Both fulfil cognito.SecretSource. Set one as Pool.Secrets:
//
//	source, err := secret.NewFile("/run/secrets/client-secret")
//	pool.Secrets = source
//
// It refuses to decide which secret is right: package cognito sends them in the order
// in which a source returns them, and the pool decides. It imports no other package of
// the module, and writes no secret anywhere.
//
// A file has one secret on each line, the one to send first at the top, and at most 4 KiB.
// [NewFile] returns an error if it cannot be read. [File.Secrets] returns none: while the file
// cannot be read, the secrets that were read before count.
package secret
