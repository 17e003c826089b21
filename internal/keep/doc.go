// Package keep owns a sign-in between requests: how it is found for a request, begun,
// renewed and ended, and what is known of one that was ended. Three keepers stand
// behind one contract ([Keeper]): a store, sealed cookies, tokens shared in cookies.
// One engine renews for all of them, and nothing else asks the pool for a refresh.
//
// It refuses to answer requests, to decide what a person may do, and to know how a
// sign-in came about.
//
// Its files have floors, and each asks only those below: sessions, begin and end;
// engine and renew; the three keepers; recent, payload, flight, revoke; keeper.
package keep
