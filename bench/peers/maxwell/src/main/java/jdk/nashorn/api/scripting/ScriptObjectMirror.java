package jdk.nashorn.api.scripting;

/** Java 17 has no script engine of this name. Maxwell only asks whether something is of this type. */
public class ScriptObjectMirror {}
