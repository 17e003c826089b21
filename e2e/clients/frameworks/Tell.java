import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import jakarta.servlet.http.HttpServletRequest;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.http.HttpHeaders;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.servlet.support.ServletUriComponentsBuilder;

/** A Spring Boot application that answers with what Spring reads of the person who asks. */
@SpringBootConfiguration(proxyBeanMethods = false)
@EnableAutoConfiguration
@RestController
public class Tell {
    @RequestMapping("/**")
    Map<String, String> tell(@RequestParam("name") List<String> names, @RequestHeader HttpHeaders headers, HttpServletRequest request) {
        Map<String, String> read = new LinkedHashMap<>();
        for (String name : names) {
            String first = headers.getFirst(name);
            read.put(name, first == null ? "" : first);
            read.put("all of " + name, String.join("|", headers.getOrEmpty(name)));
        }
        read.put("user", String.valueOf(request.getRemoteUser()));
        read.put("address", request.getRemoteAddr());
        read.put("method", request.getMethod());
        read.put("place", ServletUriComponentsBuilder.fromCurrentRequestUri().toUriString());
        return read;
    }

    public static void main(String[] arguments) {
        SpringApplication.run(Tell.class, arguments);
    }
}
