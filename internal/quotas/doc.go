// Package quotas has the limits of an Amazon Cognito user pool: how many of what it
// lets a person have, and how long each may be.
//
// It owns numbers of Amazon's, each with the page that states it, and what follows
// from them by arithmetic. It refuses to hold limits that are Codegrant's own choice.
package quotas
