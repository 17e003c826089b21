// Package state is the one state behind the faces of the local pool: pools, app
// clients, users, groups, keys and what was granted to whom.
//
// It owns what happens to them and the words in which Cognito refuses it. It
// refuses to speak HTTP: endpoints and pages are packages of their own.
package state
