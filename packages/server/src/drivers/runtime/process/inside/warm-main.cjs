// Run once as a main script before the function is: reading, compiling and running one is faster from then on.
//# sourceMappingURL=data:application/json,{"version":3,"sources":["warm-main.cjs"],"names":[],"mappings":"AAAA"}
