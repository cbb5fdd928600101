import TollgateClient

/// What `tollgate call --list` and `--describe` write.
enum MethodListing {
    /// Lists the methods with what the contract states about them.
    static func list(_ invocation: Invocation) {
        if invocation.isJSON {
            invocation.console.json(.object([("methods", .array(Methods.all.map(json)))]))
            return
        }
        var table = TextTable([
            ("METHOD", .left), ("WHO MAY CALL", .left), ("REPEATABLE", .left),
            ("DEADLINE", .right), ("ANSWER", .left),
        ])
        for method in Methods.all {
            table.add([
                MethodTable.shortName(method), MethodTable.access(method),
                method.isIdempotent ? "yes" : "no",
                Moments.duration(method.defaultDeadlineMilliseconds),
                method.streaming.givesStream ? "stream" : "one",
            ])
        }
        invocation.console.table(table, ifEmpty: "The contract has no methods.")
    }

    /// Shows the fields of a method's messages.
    static func describe(_ method: MethodDescriptor, _ invocation: Invocation) {
        if invocation.isJSON {
            invocation.console.json(describing(method))
            return
        }
        let console = invocation.console
        console.facts([
            ("Method", method.fullName), ("Who may call", MethodTable.access(method)),
            ("Repeatable", method.isIdempotent ? "yes" : "no"),
            ("Deadline", Moments.duration(method.defaultDeadlineMilliseconds)),
            ("Answer", method.streaming.givesStream ? "stream" : "one"),
        ])
        for (title, root) in [("Request", method.request), ("Response", method.response)] {
            for (place, shape) in MethodTable.shapes(from: root).enumerated() {
                let name = MethodTable.shortType(shape.name)
                console.line()
                console.line(console.outputStyle.bold(place == 0 ? "\(title): \(name)" : name))
                if shape.fields.isEmpty { console.line("  no fields") }
                for field in shape.fields {
                    console.line("  \(field.jsonName): \(MethodTable.type(field))")
                }
            }
        }
    }

    private static func json(_ method: MethodDescriptor) -> JSONValue {
        .object([
            ("method", .text(method.fullName)),
            ("access", .text(method.access.rawValue)),
            ("roles", .array(method.roles.map { .text($0.rawValue) })),
            ("isIdempotent", .bool(method.isIdempotent)),
            ("defaultDeadlineMilliseconds", .number(method.defaultDeadlineMilliseconds)),
            ("streaming", .text(method.streaming.rawValue)),
        ])
    }

    private static func describing(_ method: MethodDescriptor) -> JSONValue {
        let messages =
            MethodTable.shapes(from: method.request)
            + MethodTable.shapes(from: method.response)
        let shapes = messages.map { shape in
            JSONValue.object([
                ("name", .text(shape.name)),
                (
                    "fields",
                    .array(
                        shape.fields.map { field in
                            .object([
                                ("name", .text(field.jsonName)),
                                ("type", .text(MethodTable.type(field))),
                            ])
                        })
                ),
            ])
        }
        return .object([
            ("method", json(method)), ("request", .text(method.request.name)),
            ("response", .text(method.response.name)), ("messages", .array(shapes)),
        ])
    }
}
