// Package move owns the way of people from one user pool to another, of the same or
// another account and Region, without anybody having to reset a password: what moves and
// what cannot, the groups of the new pool, the arrival of each person, who has not come
// yet, and what becomes of those in the end. It refuses to read passwords but in the
// moment in which the new pool asks for one, to write to the old pool at all, and to
// decide when an application signs people in at which pool.
//
// # Why nobody is copied at first
//
// Nobody can read passwords out of a pool. The new pool asks its migrate-user trigger
// about people whom it does not know, with the password that they have typed. So people
// must not be there before they come: [Arrival] is that trigger. It checks the password at
// the old pool, once, and the new pool makes the user with it. In the end [Drain] makes
// those who never came; they, and nobody else, set a password by "forgot password".
//
// # One person
//
// In the new pool people have a new sub. [Tickets] are what makes them who they were: an
// attribute of the new user names the old sub, sealed by a key that the trigger and the
// application share, since people can often write attributes of their own. The
// application gives [Tickets.SamePerson] to codegrant.Config.SamePerson, and the first
// sign-in becomes an identity of the person whom the replica has, with the same UserID.
//
// # What it leans on
//
// The API of Cognito by AWS's SDK, and package verify for what an ID token says. It knows
// no replica: the application, or codegrant serve, joins the two.
//
// # Errors
//
// The constructors return every mistake of the configuration at once, and ask nobody. A ticket
// that is damaged, or is of another pool, is [ErrTicket], and
// somebody of a provider whom the old pool has disabled is [ErrDisabled]. [Move.Groups] and [Move.Drain] change
// nothing if they are set to be dry; each can be repeated after it was cut off.
package move
