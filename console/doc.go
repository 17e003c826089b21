// Package console has web pages for operators. They show the state of the service, what
// happens to a person's request, and why.
//
// It owns the pages, who may open them, and the record of who did what. It uses the root
// package as an application would: operators sign in as everybody does, and must be in a
// group. It does not know where data comes from. The program that makes the console gives
// it what the pages show. Actions use public names of the root package and of the stores.
// It shows no token, no session id and no secret.
//
// The server makes each page. A page works without a script, and sets no cookie and no
// cache. The script of the console keeps a page up to date.
//
// A request enters each room once: the root package says who sends it, [Console] decides
// whether they may, and the page asks its source and answers. An action is a POST from a
// page of ours. It needs a recent sign-in if that is configured. It also needs the replica
// to answer, and to still have the operator. The log has a line for each action, whatever
// its result.
//
// [New] makes no network call, and returns every mistake of the configuration at once. Without
// a Prefix the pages are at /console, and an open page is updated every 5 seconds. Parts of the
// console whose source is nil are left out. The example mounts it.
//
// The API of this package is not stable.
package console
