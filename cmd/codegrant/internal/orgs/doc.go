// Package orgs is codegrant orgs: organizations that people act for, their members, and
// invitations, for operators.
//
// It owns what an operator types and reads. It refuses to decide anything about members:
// package organization does.
package orgs
