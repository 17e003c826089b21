// Package rehearsal is a move from one user pool to another, before it happens: between two
// local pools in this process, which are made as the real ones are, with people who have
// the shapes of the real ones.
//
// It owns what a person is like without being anybody ([Shape]), the file that keeps shapes,
// and the run that says who would arrive, who would not and why, and how long the quotas of
// Cognito make it. It writes to no real pool, keeps no name, address or password, and
// decides nothing about a move: package move does, here as there.
//
// It leans on package move and the local pool, and on package verify for what an ID token says.
package rehearsal
