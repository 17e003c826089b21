// Package cedar owns authorization by Cedar policies: it makes a [codegrant.Permission] of
// them, and says why they refuse somebody.
//
// The entities are named as Amazon Verified Permissions names those of a Cognito identity
// source, so that policies move between both:
//
//	Shop::User::"eu-west-1_Ab12Cd34E|<sub>"           who asks, with attributes such as principal.email
//	Shop::UserGroup::"eu-west-1_Ab12Cd34E|editors"    each group, a parent of the person
//	Shop::Action::"get /orders"                       method and path of a route, or what the application says
//	Shop::Application::"Shop"                         the resource, unless the application says another one
//	context.token.scope, context.token.client_id      what the access token says
//
// It refuses to guess. Policies that do not fit their schema are a fault at the start, and
// a forbid that cannot be evaluated refuses the request, although Cedar itself would skip
// it. Package codegrant says who is asking. It is a package of its own so that only
// programs that import it compile cedar-go. It leans on the root package, as an application
// does.
package cedar
