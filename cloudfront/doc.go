// Package cloudfront gives signed-in browsers the signed cookies with which Amazon CloudFront lets them
// load private files, and takes them away again. It refuses to decide who is signed in: it asks a function.
//
// A distribution that trusts a key group serves a file only to a request that proves its permission.
// The proof used here is a policy (which URLs, until when, from which address), its signature, and the id of
// the public key that checks it, each in a cookie of its own.
//
// Most applications need [New], [Cookies.Middleware] and, in their logout, [Cookies.Clear]. [Key.SignPolicy]
// and [Key.SignCanned] sign single sets for everything else.
//
// # What CloudFront allows
//
// One policy names one resource, and one request is judged by one set of cookies. Access to several
// resources therefore takes several sets, told apart by the Path attribute of their cookies: a browser sends
// the set of "/courses/" with requests below it and no other. Sets whose paths contain each other would be
// sent together, and CloudFront does not say which one it would take, so [New] refuses them.
//
// # What a signature costs
//
// Signatures are shared by all browsers that may have the same thing until the same time. A browser that
// holds cookies with more than half of their life left gets none, so an application signs about twice per
// lifetime and resource, whatever its traffic.
//
// # What sign-out means
//
// CloudFront keeps no record of sessions. [Cookies.Clear] takes the cookies out of the browser; a copy made
// before that works until the policy ends, which is [Config.Lifetime] at most and never later than the session.
//
// The formats follow the Amazon CloudFront Developer Guide, "Use signed cookies" and the pages below it.
package cloudfront
