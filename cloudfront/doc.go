// Package cloudfront makes the signed cookies with which Amazon CloudFront lets a browser load private files.
// It refuses to decide who may load them.
package cloudfront
