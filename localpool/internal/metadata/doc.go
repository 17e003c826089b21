// Package metadata lets clients from outside use an app client of a pool: their id is the
// URL of a document that says who they are (client ID metadata documents). It finds the
// policy that takes the URL, fetches the document, and makes of both the client that
// requests go on with.
//
// It refuses what no policy names, secrets, and to be led elsewhere: no redirect is
// followed, no proxy asked, and no address of a private network dialled. What it fetched is
// kept in the state, as long as the document's headers or the policy say.
package metadata
