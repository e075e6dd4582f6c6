// What stands for an unchanged value that the source left out (TOAST), in the form that Debezium gives it for each type.

/** `unavailable.value.placeholder` */
export const PLACEHOLDER = '__debezium_unavailable_value';
