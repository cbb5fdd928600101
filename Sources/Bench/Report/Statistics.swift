/// Medians over rounds, and what follows from them.
package enum Statistics {
    /// The middle value, or the mean of the two in the middle; nil for none.
    package static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2)
            ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    /// How far apart the rounds are: the largest less the smallest, over the median; nil for none,
    /// or if the median is zero.
    package static func spread(_ values: [Double]) -> Double? {
        guard let median = median(values), median != 0, let least = values.min(),
            let most = values.max()
        else { return nil }
        return (most - least) / median
    }

    /// The median of each figure of each series, in the order in which series first appear.
    package static func medians(of samples: [Sample]) -> [Medians] {
        var order: [Series] = []
        var grouped: [Series: [Sample]] = [:]
        for sample in samples {
            if grouped[sample.series] == nil { order.append(sample.series) }
            grouped[sample.series, default: []].append(sample)
        }
        return order.map { series in
            let group = grouped[series] ?? []
            var figures: [String: Double] = [:]
            for name in Set(group.flatMap(\.figures.keys)) {
                figures[name] = median(group.compactMap { $0.figures[name] })
            }
            return Medians(
                series: series, rounds: group.count, figures: figures,
                rateSpread: spread(group.compactMap { $0.figures[Figure.perSecond] }))
        }
    }
}
