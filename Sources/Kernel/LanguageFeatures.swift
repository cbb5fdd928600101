// A misspelt upcoming feature is silently ignored by the compiler. The same settings array is given
// to every target (Package.swift), so asking here asks for all.

#if !hasFeature(ExistentialAny)
    #error("ExistentialAny is off: check its spelling in Package.swift")
#endif
#if !hasFeature(ImmutableWeakCaptures)
    #error("ImmutableWeakCaptures is off: check its spelling in Package.swift")
#endif
#if !hasFeature(InferIsolatedConformances)
    #error("InferIsolatedConformances is off: check its spelling in Package.swift")
#endif
#if !hasFeature(InternalImportsByDefault)
    #error("InternalImportsByDefault is off: check its spelling in Package.swift")
#endif
#if !hasFeature(MemberImportVisibility)
    #error("MemberImportVisibility is off: check its spelling in Package.swift")
#endif
#if !hasFeature(NonisolatedNonsendingByDefault)
    #error("NonisolatedNonsendingByDefault is off: check its spelling in Package.swift")
#endif
