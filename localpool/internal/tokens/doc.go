// Package tokens makes the tokens that a pool issues, and reads them back.
//
// It owns their claims, which differ a little between those of the OAuth endpoints
// and those of the JSON API. It refuses to decide who gets any.
package tokens
