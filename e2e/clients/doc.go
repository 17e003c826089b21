// Package clients runs AWS's own JavaScript clients, as npm brings them, against
// the local pool: what they do with it, applications of other languages can.
package clients
