// Package quota keeps the request rates that Cognito allows an account, by category
// of operation. It owns how much is left, and refuses to know which request is of
// which category.
package quota
