// Package refused owns how errors of Cognito's API are told apart by their code. The SDK
// makes types of those alone that the model of an operation names, and the service answers
// with others too. It refuses to say what an error means for its caller.
package refused
