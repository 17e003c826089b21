// Spring Security and java-jwt, on assertions of the gateway's, as docs/assertions.md shows: a line for each.
import com.auth0.jwk.JwkProviderBuilder;
import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import com.auth0.jwt.exceptions.JWTVerificationException;
import java.net.URL;
import java.security.interfaces.ECPublicKey;
import java.util.List;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtException;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;

public class Verify {
    public static void main(String[] args) throws Exception {
        String keys = System.getenv("JWKS_URL"), token = System.getenv("TOKEN"), audience = System.getenv("AUDIENCE");

        NimbusJwtDecoder decoder = NimbusJwtDecoder.withJwkSetUri(keys).jwsAlgorithm(SignatureAlgorithm.ES256).build();
        decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<>(
            JwtValidators.createDefaultWithIssuer("https://app.example.com"),
            new JwtClaimValidator<List<String>>("aud", aud -> aud != null && aud.contains(audience))));
        try {
            Jwt jwt = decoder.decode(token);
            System.out.println("spring accepted " + jwt.getClaimAsString("email") + " " + String.join(",", jwt.getClaimAsStringList("groups")));
        } catch (JwtException e) {
            System.out.println("spring refused " + e.getMessage());
        }

        try {
            var key = new JwkProviderBuilder(new URL(keys)).build().get(JWT.decode(token).getKeyId());
            var who = JWT.require(Algorithm.ECDSA256((ECPublicKey) key.getPublicKey(), null))
                .withIssuer("https://app.example.com").withAudience(audience).build().verify(token);
            System.out.println("java-jwt accepted " + who.getClaim("email").asString() + " " + String.join(",", who.getClaim("groups").asList(String.class)));
        } catch (JWTVerificationException e) {
            System.out.println("java-jwt refused " + e.getClass().getSimpleName());
        }
    }
}
