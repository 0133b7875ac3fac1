import type { Boilerplate } from "./boilerplate.ts";

const pom = (name: string) => `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0"
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 http://maven.apache.org/xsd/maven-4.0.0.xsd">
    <modelVersion>4.0.0</modelVersion>
    <groupId>com.example.fn</groupId>
    <artifactId>${name}</artifactId>
    <version>1.0.0</version>
    <!-- As long as there are no dependencies, parent, modules, profiles or build here, the JDK alone compiles it; else Maven does. -->
    <properties>
        <maven.compiler.release>17</maven.compiler.release>
        <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
    </properties>
</project>
`;

const source = `package com.example.fn;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

public class HelloFunction {
    /** Runs once per call: standard input is the body, standard output the answer; a failure ends with a code but 0. */
    public static void main(String[] arguments) throws IOException {
        String input = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        System.err.println("Greeting " + nameOf(input));
        System.out.print(handleRequest(input));
    }

    static String handleRequest(String input) {
        return "Hello, " + nameOf(input) + "!";
    }

    private static String nameOf(String input) {
        return input.isBlank() ? "world" : input.strip();
    }
}
`;

export const java: Boilerplate = {
  functionFile: ["runtime: java", "format: stdio", "cmd: com.example.fn.HelloFunction", "memory: 256"],
  files: (name) => ({ "pom.xml": pom(name), "src/main/java/com/example/fn/HelloFunction.java": source }),
};
