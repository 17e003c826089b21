// Package console is web pages for those who run the service: how it is, what becomes of a
// person's request, and why.
//
// It owns the pages, who may open them, and the record of who did what. It stands on the
// root package as an application would: operators sign in as everybody does, and have to be
// in a group. It refuses to know where anything comes from: what a page shows is asked of
// whoever made the console, and what an operator does is done by public names of the root
// package and of the stores. It shows no token, no session id and no secret.
//
// A page is made on the server, works without a script, and leaves nothing behind: no
// cookie of its own, no cache. The script that comes with it keeps a page up to date.
//
// A request enters each room once: the root package says who asks, [Console] whether they
// may, the page asks its source, and answers. An action is a POST from a page of ours; it
// asks for a recent sign-in where that is configured, is asked about once more where the
// replica has lost the person, and leaves a line in the log whatever became of it.
//
// The API of this package is not stable.
package console
