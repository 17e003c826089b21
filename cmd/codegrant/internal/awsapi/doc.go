// Package awsapi says how commands ask the APIs of AWS: where, in which Region, with whose
// credentials, and where the SDK's own log goes.
//
// It owns the settings of AWS's tools, a profile's role_arn among them, and makes the clients.
// No other package of the command reads these settings. It refuses to call an operation, and
// to know what a client is for.
//
// Where a client asks: at the endpoint that a flag names; else, if the issuer of the pool is
// on this machine, there; else where the SDK's settings say, such as AWS_ENDPOINT_URL or
// endpoint_url of a profile; else at AWS. A flag's endpoint, and a pool on this machine, get
// credentials that are nobody's.
//
// It leans on the SDK alone.
package awsapi
